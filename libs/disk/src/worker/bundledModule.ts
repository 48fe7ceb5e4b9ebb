import { extname } from 'node:path';

/**
 * The address of a module that a thread loads: `moduleUrl` is `new URL('./name.ts', import.meta.url)`, `fromUrl` the `import.meta.url` beside
 * it. Run from source that is it. In a bundle such modules are entries of their own beside the bundle, with the bundle's extension.
 */
export function bundledModule(moduleUrl: URL, fromUrl: string): string {
  const extension = extname(new URL(fromUrl).pathname);
  return moduleUrl.href.replace(/\.ts$/, extension);
}
