import * as parser from 'socket.io-parser';

/** Event name under which a packet that cannot be read is handed on; no client can send it as an ordinary event first. */
export const MALFORMED = '\0malformed';

/**
 * The Socket.IO decoder, except that a malformed packet becomes an event of its own instead of an exception: the server
 * then answers with an error and keeps the connection, where Socket.IO itself would close it.
 */
class TolerantDecoder extends parser.Decoder {
  override add(packet: unknown): void {
    try {
      super.add(packet);
    } catch {
      // A half-received binary packet is given up, or every later packet would be refused too.
      this.destroy();
      const event = { type: parser.PacketType.EVENT, nsp: '/', data: [MALFORMED] };
      (this as unknown as { emitReserved(name: 'decoded', packet: object): void }).emitReserved(
        'decoded',
        event,
      );
    }
  }
}

export const tolerantParser = { Encoder: parser.Encoder, Decoder: TolerantDecoder };
