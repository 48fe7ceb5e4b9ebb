// Prints a nats-server configuration for the trust folder of a control plane, made on first use.
//   node deploy/natsConfig.ts --trust DIR --port N --store DIR
import { parseArgs } from 'node:util';
import { createTrust, natsServerConfig } from '@ascend/bus';

const { values } = parseArgs({
  options: { trust: { type: 'string' }, port: { type: 'string' }, store: { type: 'string' } },
});
const { trust, port, store } = values;
if (trust === undefined || port === undefined || store === undefined) {
  process.stderr.write('natsConfig: --trust DIR, --port N and --store DIR are needed\n');
  process.exit(2);
}
const config = natsServerConfig(await createTrust(trust), {
  listen: { host: '127.0.0.1', port: Number(port) },
  storeDir: store,
});
process.stdout.write(config);
