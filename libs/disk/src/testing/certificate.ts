import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';

/** A self-signed certificate of a test. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a self-signed certificate for 127.0.0.1 with openssl. */
export async function makeCertificate(folder: string, name = 'peer'): Promise<TestCertificate> {
  const [cert, key] = [path.join(folder, `${name}.pem`), path.join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await runProcess({
    program: 'openssl',
    args: ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert],
  });
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}
