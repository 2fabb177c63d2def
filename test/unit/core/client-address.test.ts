import assert from 'node:assert/strict';
import {
  addressGroup,
  clientAddress,
  createProxyTrust,
  type TrustProxy,
} from '../../../server/core/client-address.ts';

function from(trust: TrustProxy, peer: string | undefined, forwarded?: string): string {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return clientAddress({ socket: { remoteAddress: peer }, headers }, createProxyTrust(trust));
}

describe('client address', () => {
  it('[HTTP-2] believes no header without TRUST_PROXY', () => {
    assert.equal(from({ kind: 'none' }, '198.51.100.7', '203.0.113.1'), '198.51.100.7');
    assert.equal(from({ kind: 'none' }, '::ffff:198.51.100.7'), '198.51.100.7');
    assert.equal(from({ kind: 'none' }, undefined), 'unknown');
  });

  it('[HTTP-2] goes back as many hops as are trusted, so that a spoofed entry is never reached', () => {
    assert.equal(from({ kind: 'hops', hops: 1 }, '10.0.0.1', '1.1.1.1, 203.0.113.9'), '203.0.113.9');
    assert.equal(
      from({ kind: 'hops', hops: 2 }, '10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2'),
      '203.0.113.9',
    );
    assert.equal(from({ kind: 'hops', hops: 3 }, '10.0.0.1', '203.0.113.9'), '203.0.113.9');
  });

  it('[HTTP-2] goes back through listed proxies only', () => {
    const trust: TrustProxy = { kind: 'ranges', ranges: ['10.0.0.0/8', '::1'] };
    assert.equal(from(trust, '10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2'), '203.0.113.9');
    assert.equal(from(trust, '::ffff:10.0.0.1', '203.0.113.9'), '203.0.113.9');
    assert.equal(from(trust, '198.51.100.7', '203.0.113.9'), '198.51.100.7');
    assert.equal(from(trust, '::1', 'garbage'), '::1');
  });

  it('[HTTP-2] [SES-5] takes the /64 of an IPv6 address for one client', () => {
    const group = addressGroup('2001:db8:1:2::1');
    assert.equal(addressGroup('2001:db8:1:2:ffff:ffff:ffff:ffff'), group);
    assert.notEqual(addressGroup('2001:db8:1:3::1'), group);
    assert.equal(addressGroup('203.0.113.9'), '203.0.113.9');
    assert.notEqual(addressGroup('203.0.113.10'), addressGroup('203.0.113.9'));
    assert.equal(addressGroup('unknown'), 'unknown');
  });
});
