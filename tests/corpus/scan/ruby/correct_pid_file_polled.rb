# correct
# why: the pid file is polled for to a deadline
require 'agent'

RSpec.describe Agent do
  it 'kills the collector when its process is switched off' do
    agent = Agent.new(collect: true)
    wait_for_collector(20)
    agent.reconfigure(collect: false)

    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
    while File.exist?(agent.config.value('pid_file'))
      raise 'the collector lives on' if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.1
    end
  end
end
