import assert from 'node:assert/strict';
import { createOriginPolicy } from '../../../server/core/origin-policy.ts';

describe('origin policy', () => {
  const allows = createOriginPolicy({ allowed: ['http://localhost:3000', 'https://watch.example.org'] });
  const host = 'tail.example.org:3001';

  it('[WS-5] lets requests in that no foreign page caused', () => {
    assert.ok(allows({ host }));
    assert.ok(allows({ host, 'sec-fetch-site': 'same-origin' }));
    assert.ok(!allows({ host, 'sec-fetch-site': 'cross-site' }));
    assert.ok(!allows({ host, 'sec-fetch-site': 'same-site' }));
  });

  it('[WS-5] lets in the origins of FRONTEND_URL and the own host, whatever the scheme', () => {
    for (const origin of [
      'http://localhost:3000',
      'https://watch.example.org',
      'http://tail.example.org:3001',
      'https://tail.example.org:3001',
    ]) {
      assert.ok(allows({ host, origin }), origin);
    }
    assert.ok(allows({ host: 'tail.example.org', origin: 'https://tail.example.org' }));
    assert.ok(allows({ host: 'tail.example.org:443', origin: 'https://tail.example.org' }));
    assert.ok(allows({ host: '[::1]:3001', origin: 'http://[::1]:3001' }));
  });

  it('[WS-5] refuses every other origin, however similar', () => {
    const foreign = [
      'null',
      '',
      'http://localhost:3001',
      'https://localhost:3000',
      'http://localhost:3000.evil.example',
      'https://watch.example.org.evil.example',
      'https://evilwatch.example.org',
      'https://watch.example.org:8443',
      'http://tail.example.org',
      'https://watch.example.org/path',
      'https://watch.example.org, https://evil.example',
      'https://user@watch.example.org',
      'file://',
      'chrome-extension://abc',
      'not an origin',
    ];
    for (const origin of foreign) assert.ok(!allows({ host, origin }), origin);
    assert.ok(!allows({ origin: 'http://tail.example.org:3001' }), 'without Host');
    assert.ok(!allows({ host, origin: ['https://watch.example.org', 'https://evil.example'] }));
  });
});
