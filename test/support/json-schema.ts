import assert from 'node:assert/strict';
import { Ajv } from 'ajv';

/** A description of an API, as far as its schemas go. */
interface Described {
  components: { schemas?: object | undefined };
}

/** Forbids fields that a schema does not name, so that what the server says more than its description is found. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]));
  if ('properties' in copy && !('additionalProperties' in copy)) copy.additionalProperties = false;
  return copy;
}

/**
 * Checks values against the schemas of an API description.
 * @returns a function that fails the test where a value does not fit, or says more than the schema
 */
export function createSchemaCheck(
  document: Described,
): (schema: object, value: unknown, what: string) => void {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const components = { $id: 'api:components', components: closed(document.components) };
  ajv.addSchema(components);
  const toComponents = (schema: object) =>
    JSON.parse(
      JSON.stringify(closed(schema)).replaceAll('"#/components/', '"api:components#/components/'),
    ) as object;
  return (schema, value, what) => {
    const validate = ajv.compile(toComponents(schema));
    assert.ok(
      validate(value),
      `${what}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value).slice(0, 500)}`,
    );
  };
}

/** Every `$ref` in a document that leads nowhere. */
export function danglingRefs(document: unknown): string[] {
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === '$ref' && typeof inner === 'string' && resolve(document, inner) === undefined)
        found.push(inner);
      walk(inner);
    }
  };
  walk(document);
  return found;
}

/** What a reference inside a document stands for (RFC 6901). */
export function resolve(document: unknown, ref: string): unknown {
  const parts = ref.replace(/^#\//, '').split('/');
  return parts.reduce<unknown>((value, part) => {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }, document);
}
