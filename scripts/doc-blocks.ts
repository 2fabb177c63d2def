/** Generated parts of documents stand between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. */
function block(name: string): RegExp {
  return new RegExp(`(<!-- ${name}:begin[^>]*-->\\n)[\\s\\S]*?(<!-- ${name}:end -->)`);
}

/**
 * Puts `content` between the markers of `name`.
 * @throws Error where the document has no such markers
 */
export function replaceBlock(document: string, name: string, content: string): string {
  if (!block(name).test(document)) throw new Error(`no block "${name}" between markers`);
  return document.replace(
    block(name),
    (_all, begin: string, end: string) => `${begin}\n${content}\n\n${end}`,
  );
}
