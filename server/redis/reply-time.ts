import type { Redis } from 'ioredis';

/** So many times the time of a command may begin anew while other replies come. */
const PERIODS_MAX = 5;

/**
 * Lets each command fail that Redis leaves unanswered for `ms`. The library's own `commandTimeout` would also fail those
 * whose reply has come and is not read yet: where this process is busy, timers run before what the network has brought,
 * and in a storm of connections thousands would be told that the store is away. So when the time is over, what has come is
 * read first; and as long as Redis goes on answering, in the order in which it was asked, the time begins anew.
 */
export function limitReplyTime(client: Redis, ms: number): void {
  const send = client.sendCommand.bind(client);
  const heard = () => client.stream?.bytesRead ?? 0;

  client.sendCommand = (command, stream) => {
    const result = send(command, stream);
    let settled = false;
    let periods = 0;
    let timer: NodeJS.Timeout | undefined;
    const begin = () => {
      const before = heard();
      timer = setTimeout(() => {
        setImmediate(() => {
          if (settled) return;
          periods += 1;
          if (heard() > before && periods < PERIODS_MAX) begin();
          else command.reject(new Error('Command timed out'));
        });
      }, ms);
    };
    const end = () => {
      settled = true;
      clearTimeout(timer);
    };
    begin();
    command.promise.then(end, end);
    return result;
  };
}
