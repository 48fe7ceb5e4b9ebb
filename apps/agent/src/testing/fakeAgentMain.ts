// An agent process with the scripted step of `fakeToolbox.ts`: for tests that kill it.
import { describeFailure, runAgentProcess } from '../agentProcess.ts';
import { createFakeToolbox } from './fakeToolbox.ts';

try {
  await runAgentProcess(createFakeToolbox());
  process.exit(0);
} catch (error) {
  process.stderr.write(describeFailure(error));
  process.exit(1);
}
