/** Enough reads for V8 to keep feedback about them; it took ten on Node 20. */
const READS = 1000;

function read(value: object): unknown {
  return (value as { at?: unknown }).at;
}

/**
 * Makes text fast again after a library has declared a `class ... extends String`, as ioredis 6 does. That turns
 * String.prototype into a dictionary (V8: JSObject::OptimizeAsPrototype), and from then on optimised code looks up
 * `text.length` and `text.charCodeAt` anew for every character: parsing took 2.4 times as long. V8 turns the prototype
 * back, for good, once a property is read through an object that inherits from it
 * (JSObject::MakePrototypesFast); reads of plain strings do not count.
 */
export function restoreFastStrings(): void {
  const heir: object = Object.create(String.prototype);
  for (let n = 0; n < READS; n++) read(heir);
}
