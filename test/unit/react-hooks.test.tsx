/** @jsxRuntime automatic */
import assert from 'node:assert/strict';
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { createGatewayClient } from '../../client/gateway.ts';
import { TailwireProvider, useClientLogs, useNodeStatus, useWebSocket } from '../../client/react/index.ts';

function Everything() {
  const connection = useWebSocket();
  const node = useNodeStatus();
  const logs = useClientLogs('execution');
  return <p>{`${connection.status} ${node.status} ${logs.status} ${logs.lines.length}`}</p>;
}

const Socket = () => <p>{useWebSocket().status}</p>;
const Node = () => <p>{useNodeStatus().status}</p>;
const Logs = () => <p>{useClientLogs('execution').status}</p>;

describe('React hooks on the server', () => {
  it('render a constant state and open no connection', () => {
    const client = createGatewayClient({ url: 'http://127.0.0.1:1' });
    const html = renderToString(
      <StrictMode>
        <TailwireProvider client={client}>
          <Everything />
        </TailwireProvider>
      </StrictMode>,
    );
    assert.equal(html, '<p>idle pending idle 0</p>');
    assert.equal(client.getState().status, 'idle');
  });

  it('need no address there: the page has one later', () => {
    const html = renderToString(
      <TailwireProvider>
        <Everything />
      </TailwireProvider>,
    );
    assert.equal(html, '<p>idle pending idle 0</p>');
  });

  for (const [name, Page] of Object.entries({
    useWebSocket: Socket,
    useNodeStatus: Node,
    useClientLogs: Logs,
  })) {
    it(`${name} outside a provider says what to do`, () => {
      assert.throws(() => renderToString(<Page />), new RegExp(`${name}\\(\\) needs a <TailwireProvider>`));
    });
  }
});
