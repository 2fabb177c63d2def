/** Messages that wait for a connection unless told: some minutes of a talkative publisher. */
const QUEUE_MAX = 1000;
/** Characters of all waiting messages: a page should not hold more for a server that may not come back. */
const QUEUE_CHARS = 4 * 1024 * 1024;

export interface NexusQueue {
  readonly size: number;
  /** @returns false where there is no room: nothing that waits is thrown out for it */
  push(text: string): boolean;
  shift(): string | undefined;
  clear(): void;
}

/** Encoded messages in order, bounded in number (`max`) and in characters (4 Mi). */
export function createNexusQueue(max: number = QUEUE_MAX): NexusQueue {
  let texts: string[] = [];
  let chars = 0;
  return {
    get size() {
      return texts.length;
    },
    push(text) {
      if (texts.length >= max || chars + text.length > QUEUE_CHARS) return false;
      texts.push(text);
      chars += text.length;
      return true;
    },
    shift() {
      const text = texts.shift();
      chars -= text?.length ?? 0;
      return text;
    },
    clear() {
      texts = [];
      chars = 0;
    },
  };
}
