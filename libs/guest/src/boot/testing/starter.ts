import { startEmptyMachine } from './emptyMachine.ts';

// A process of its own that starts a machine, says so, and goes on living until it is killed.
const [, , folder = '', lifetime = 'own'] = process.argv;
process.stdout.write('begin\n');
const machine = await startEmptyMachine(folder, { lifetime: lifetime === 'starter' ? 'starter' : 'own' });
process.stdout.write(`started ${machine.pid}\n`);
setInterval(() => undefined, 1_000);
