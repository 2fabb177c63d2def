import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An authority for tests, and what it signs, as PEM files in one folder. */
export interface Authority {
  /** The certificate of the authority. */
  readonly ca: string;
  /** Makes a certificate and its key for loopback. @returns the names of the files */
  issue(name: string, days?: number): Promise<{ cert: string; key: string }>;
}

/** Makes an authority in a folder, with openssl. The folder is for the caller to remove. */
export async function createAuthorityIn(folder: string, name = 'ca'): Promise<Authority> {
  const file = (base: string) => path.join(folder, base);
  const newKey = (base: string, subject: string) => [
    'req',
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', file(`${base}.key`), '-subj', `/CN=${subject}`],
  ];
  await run('openssl', [...newKey('ca', name), '-x509', '-days', '2', '-out', file('ca.pem')]);
  await writeFile(file('names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  return {
    ca: file('ca.pem'),
    async issue(base, days = 2) {
      await run('openssl', [...newKey(base, base), '-out', file(`${base}.csr`)]);
      await run('openssl', [
        ...['x509', '-req', '-in', file(`${base}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
        ...['-CAcreateserial', '-days', String(days), '-extfile', file('names.cnf')],
        ...['-out', file(`${base}.pem`)],
      ]);
      return { cert: file(`${base}.pem`), key: file(`${base}.key`) };
    },
  };
}
