import './globals.css';
import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import { Toasts } from '../components/ui/toasts.tsx';

export const metadata: Metadata = {
  title: 'Tailwire',
  description: 'The live window into your servers: journals and service status, over SSH, with no line lost.',
  robots: { index: false },
};

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  viewportFit: 'cover',
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    // theme.js sets an attribute here before React runs.
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* It must run before the first paint, so neither async nor deferred. */}
        <script src="/theme.js" />
      </head>
      <body className="min-h-dvh">
        {children}
        <Toasts />
      </body>
    </html>
  );
}
