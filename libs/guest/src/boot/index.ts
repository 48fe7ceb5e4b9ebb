export { workingAcceleration } from './acceleration.ts';
export { bootTest, type BootTestParams } from './bootTest.ts';
export type { WaitForEvidenceParams } from './bootWatch.ts';
export { checkDrivers, chooseRehearsal, type DriverCheck, type Rehearsal } from './emulatedDevices.ts';
export { findMachine, startMachine, type Machine } from './machine.ts';
export {
  isMachineBus,
  machineBuses,
  type MachineBus,
  type MachineDisk,
  type MachineNic,
  type MachineSpec,
} from './machineSpec.ts';
