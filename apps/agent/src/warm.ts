// Second stage of a start: loads all that the agent may load, so that the compile cache (NODE_COMPILE_CACHE) holds it, and
// makes way for the agent. Stripping types costs 30 MB that a process never gives back; from the cache nothing is stripped.
import { flushCompileCache } from 'node:module';
import { readEnvironment } from '@ascend/runtime';
import { replaceBy } from './lean.ts';
import { connectors } from './registry.ts';

await import('./serve.ts');
await Promise.all([import('@ascend/guest'), import('@ascend/steps'), import('@ascend/disk')]);
await Promise.all(Object.values(connectors).map(async (load) => await load()));
flushCompileCache();
/**
 * glibc raises its limits by itself once large buffers were freed (mallopt(3)), and then keeps what later ones leave behind: 30 MB with two
 * disks in flight, and for good. Fixed limits give it back to the machine. An operator's own values win.
 */
const thrift = {
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_ARENA_MAX: '2',
};
const environment = { ...thrift, ...readEnvironment() };
// A small young generation: the agent's bytes are in buffers outside of the heap, so its garbage is little.
replaceBy(new URL('./serve.ts', import.meta.url), ['--max-semi-space-size=2'], environment);
