export { kvmConnector } from './connector.ts';
export { kvmData } from './data/index.ts';
export { listLocalVms, stopLocalVms, type LocalVm } from './localVms.ts';
