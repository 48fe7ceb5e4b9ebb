// Lists or stops the VMs below a state folder of the local target.
//   node deploy/localVms.ts list|stop STATE_DIR
import { listLocalVms, stopLocalVms } from '@ascend/platform-kvm';

const [verb, stateDir] = process.argv.slice(2);
/** Time a guest gets to shut down by itself before it is switched off. */
const graceMs = 15_000;

if ((verb !== 'list' && verb !== 'stop') || stateDir === undefined) {
  process.stderr.write('localVms: list|stop and a state folder are needed\n');
  process.exit(2);
}
if (verb === 'stop') {
  for (const name of await stopLocalVms(stateDir, graceMs)) process.stdout.write(`stopped VM ${name}\n`);
} else {
  for (const vm of await listLocalVms(stateDir)) {
    process.stdout.write(`VM ${vm.name}: ${vm.running ? 'running' : 'stopped'} (restore ${vm.jobId})\n`);
  }
}
