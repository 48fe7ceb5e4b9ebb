export { validateTargetOutputSchema as configureVmOutputSchema } from '../validateTarget/output.ts';
