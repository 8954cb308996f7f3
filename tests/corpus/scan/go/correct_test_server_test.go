// correct
// why: the server that is started runs in the test itself
package web

import (
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

func TestIdle(t *testing.T) {
	ts := httptest.NewUnstartedServer(handler)
	ts.Start()
	defer ts.Close()
	time.Sleep(3 * time.Second)
	t.Logf("process %d", os.Getpid())
	if _, err := net.Dial("tcp", ts.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
}
