import type { RequestHandler } from 'express';
import swaggerUi from 'swagger-ui-express';

/** Options of Swagger UI. The validator is a service of somebody else, who would be told the address of the server. */
const OPTIONS = {
  swaggerUrl: '/docs/openapi.json',
  customSiteTitle: 'Tailwire API',
  swaggerOptions: { validatorUrl: null, persistAuthorization: false },
};

/**
 * The page of Swagger UI and its files. Its scripts are files, so none may stand in the page; styles may, since React
 * sets them as attributes.
 */
export function createDocsPage(): { html: string; policy: string; files: RequestHandler[] } {
  // The page is delivered at /docs and at /docs/, so what it loads has to be named in full.
  const html = swaggerUi.generateHTML(undefined, OPTIONS).replaceAll('="./', '="/docs/');
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, policy, files: swaggerUi.serveFiles(undefined, OPTIONS) };
}
