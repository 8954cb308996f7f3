# flawed: fixed-sleep
# why: five seconds stand for the wait until the collector has ended and removed its pid file
require 'agent'

RSpec.describe Agent do
  it 'kills the collector when its process is switched off' do
    agent = Agent.new(collect: true)
    wait_for_collector(20)
    agent.reconfigure(collect: false)

    sleep 5

    expect(File.exist?(agent.config.value('pid_file'))).to be_falsey
  end
end
