/**
 * The HTTP modules of the runtime. Danger for memory: an `import` of them also makes their exports `WebSocket` and the like, and with these
 * loads a second HTTP client that nobody here uses: 45 ms of CPU and 13 MB in each process and each thread (Node 24, measured).
 */
export const http = process.getBuiltinModule('node:http');

/** As `http`, over TLS. */
export const https = process.getBuiltinModule('node:https');
