import path from 'node:path';
import type { NextConfig } from 'next';

const root = path.resolve(import.meta.dirname, '..');

const config: NextConfig = {
  // A folder of plain files: the gateway serves them, and so can any static host.
  output: 'export',
  // `node/index.html` rather than `node.html`: every static host finds it without a rule of its own.
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  // The client and the shared types lie beside this folder.
  turbopack: { root },
  outputFileTracingRoot: root,
  // The compiler here has no JavaScript interface that Next could call: `npm run check` runs it.
  typescript: { ignoreBuildErrors: true },
};

export default config;
