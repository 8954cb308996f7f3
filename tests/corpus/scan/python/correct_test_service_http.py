# correct
# why: service stopped, a pause, then something that is no process
import time

from myapp import Client, Service


def test_stop_flushes():
    service = Service()
    client = Client(service)
    client.send("x")
    service.stop()
    time.sleep(0.1)
    assert not client.connected
    assert service.sent == ["x"]
