// The agent itself, as `main.ts` replaces itself with it. Importing it does nothing.
import { describeFailure, runAgentProcess } from './agentProcess.ts';
import { tools } from './tools.ts';

if (import.meta.main) {
  try {
    await runAgentProcess(tools);
    process.exit(0);
  } catch (error) {
    process.stderr.write(describeFailure(error));
    process.exit(1);
  }
}
