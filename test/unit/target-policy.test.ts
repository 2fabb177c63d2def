import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createTargetPolicy, type Lookup } from '../../server/ssh/target-policy.ts';
import { codeOf } from '../support/ssh.ts';

/** A resolver with these names; it fails the test where a name is asked that must not be. */
function names(table: Record<string, string[]>): Lookup & { asked: string[] } {
  const asked: string[] = [];
  const lookup = async (name: string) => {
    asked.push(name);
    const addresses = table[name];
    if (!addresses) throw new Error(`ENOTFOUND ${name}`);
    return addresses.map((address) => ({ address }));
  };
  return Object.assign(lookup, { asked });
}

const nothing = names({});
const open = createTargetPolicy({ lookup: nothing });

/** Every spelling of an IPv4 address that inet_aton(3) or a URL parser reads. */
function spellings(octets: readonly number[]): fc.Arbitrary<string> {
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  const number = (value: number) =>
    fc.constantFrom(
      String(value),
      `0x${value.toString(16)}`,
      `0X${value.toString(16).toUpperCase()}`,
      `0${value.toString(8)}`,
    );
  const tail = (parts: number[]) => parts.reduce((sum, part) => sum * 256 + part, 0);
  const join = (...parts: number[]) => fc.tuple(...parts.map(number)).map((words) => words.join('.'));
  const v4 = fc.oneof(
    join(a, b, c, d),
    join(a, b, tail([c, d])),
    join(a, tail([b, c, d])),
    join(tail([a, b, c, d])),
  );
  const hex = (high: number, low: number) => (high * 256 + low).toString(16);
  const groups = `${hex(a, b)}:${hex(c, d)}`;
  const dotted = octets.join('.');
  const v6 = fc.constantFrom(
    `::ffff:${dotted}`,
    `::ffff:${groups}`,
    `0:0:0:0:0:FFFF:${groups}`,
    `[::ffff:${groups}]`,
    `::${dotted}`,
    `::ffff:0:${groups}`,
    `2002:${groups}::`,
    `2002:${groups}::1`,
    `64:ff9b::${dotted}`,
    `64:ff9b::${groups}`,
    `64:ff9b:1::${groups}`,
    `2001:0:${groups}::1`,
  );
  const fullWidth = dotted.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
  return fc.oneof(
    v4,
    v4.map((text) => `${text}.`),
    v6,
    fc.constant(fullWidth),
    fc.constant(dotted.replaceAll('.', '。')),
  );
}

const octet = fc.integer({ min: 0, max: 255 });
const special = fc.oneof(
  fc.tuple(fc.constant(127), octet, octet, octet),
  fc.tuple(fc.constant(0), octet, octet, octet),
  fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
  fc.tuple(fc.integer({ min: 224, max: 255 }), octet, octet, octet),
  fc.constantFrom(
    [169, 254, 169, 254],
    [100, 100, 100, 200],
    [168, 63, 129, 16],
    [192, 0, 0, 192],
    [255, 255, 255, 255],
  ),
);
const ordinary = fc.oneof(
  fc.tuple(fc.constant(10), octet, octet, octet),
  fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
  fc.tuple(fc.integer({ min: 1, max: 9 }), octet, octet, octet),
);

describe('target policy without a list', () => {
  it('[SES-4] refuses special addresses in every spelling, without asking a resolver', async () => {
    await fc.assert(
      fc.asyncProperty(
        special.chain((octets) => spellings(octets)),
        async (host) => {
          assert.equal(await codeOf(open.resolve(host, 22)), 'host_not_allowed', host);
        },
      ),
      { numRuns: 2000 },
    );
    assert.deepEqual(nothing.asked, []);
  });

  it('[SES-4] refuses IPv6 loopback, link-local, metadata, multicast, unspecified and zone ids', async () => {
    const hosts = [
      '::1',
      '[::1]',
      '::',
      '0:0:0:0:0:0:0:1',
      'fe80::1',
      'fe80::1%eth0',
      '[fe80::1%25eth0]',
      'ff02::1',
    ];
    hosts.push(
      'fd00:ec2::254',
      'fd20:ce::254',
      'fd00:42::42',
      'febf::1',
      'fec0::1',
      '::1%lo',
      '2001:db8::1%1',
    );
    for (const host of hosts) assert.equal(await codeOf(open.resolve(host, 22)), 'host_not_allowed', host);
  });

  it('[SES-4] refuses names that resolve to a special address, also as one of several', async () => {
    const lookup = names({
      localhost: ['127.0.0.1'],
      'inside.example': ['93.184.216.34', '127.0.0.1'],
      'metadata.example': ['169.254.169.254'],
      'mapped.example': ['::ffff:127.0.0.1'],
      'zone.example': ['fe80::1%eth0'],
      'nat64.example': ['64:ff9b::7f00:1'],
    });
    const policy = createTargetPolicy({ lookup });
    const hosts = [
      'localhost',
      'LOCALHOST.',
      'ｌｏｃａｌｈｏｓｔ',
      'inside.example',
      'metadata.example',
      'mapped.example',
    ];
    for (const host of [...hosts, 'zone.example', 'nat64.example']) {
      assert.equal(await codeOf(policy.resolve(host, 22)), 'host_not_allowed', host);
    }
  });

  it('[SES-4] gives the address that was checked, in its canonical form', async () => {
    await fc.assert(
      fc.asyncProperty(ordinary, async (octets) => {
        const address = octets.join('.');
        const expected = { address, family: 4 };
        assert.deepEqual(await open.resolve(address, 22), expected);
        assert.deepEqual(await open.resolve(`::ffff:${address}`, 22), expected);
        const decimal = octets.reduce((sum, part) => sum * 256 + part, 0);
        assert.deepEqual(await open.resolve(String(decimal), 22), expected);
      }),
    );
    assert.deepEqual(await open.resolve('2A00:1450:4001::0001', 22), {
      address: '2a00:1450:4001::1',
      family: 6,
    });
    assert.deepEqual(await open.resolve('[2a00::1]', 22), { address: '2a00::1', family: 6 });
  });

  it('[SES-4] resolves a name once per use, so that a second answer cannot slip in', async () => {
    let answers = 0;
    const policy = createTargetPolicy({
      lookup: async () => {
        answers += 1;
        return [{ address: answers === 1 ? '93.184.216.34' : '127.0.0.1' }];
      },
    });
    assert.deepEqual(await policy.resolve('rebind.example', 22), { address: '93.184.216.34', family: 4 });
    assert.equal(answers, 1);
    assert.equal(await codeOf(policy.resolve('rebind.example', 22)), 'host_not_allowed');
  });

  it('refuses what is no host at all and never throws anything else', async () => {
    const odd = [
      '',
      ' ',
      '.',
      'a b',
      'a..b',
      '-',
      'a/b',
      'host:22',
      'user@host',
      '%31',
      '1.2.3.4.5',
      '08.0.0.1',
      '256.1.1.1',
    ];
    odd.push(
      '0x',
      '127.0.0.1\n',
      '[1.2.3.4]',
      '[::1',
      'a'.repeat(254),
      `${'a'.repeat(64)}.b`,
      '\0',
      '*',
      '::ffff:1',
    );
    for (const host of odd)
      assert.equal(await codeOf(open.resolve(host, 22)), 'host_not_allowed', JSON.stringify(host));
    const asks = createTargetPolicy({ lookup: async () => [{ address: '127.0.0.1' }] });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (host) => {
        const code = await asks.resolve(host, 22).then(
          ({ address }) => address,
          () => 'refused',
        );
        // A random string may spell a public address; nothing else gets through.
        assert.match(code, /^(?:refused|[\d.]+|[0-9a-f:]+)$/);
        assert.doesNotMatch(code, /^127\./);
      }),
    );
  });

  it('says that a name does not resolve, also when its resolver hangs', async () => {
    assert.equal(await codeOf(open.resolve('no.such.example', 22)), 'host_unreachable');
    const hangs = createTargetPolicy({ lookup: () => new Promise(() => {}), lookupTimeoutMs: 20 });
    assert.equal(await codeOf(hangs.resolve('slow.example', 22)), 'host_unreachable');
  });
});

describe('target policy with SSH_ALLOWED_HOSTS', () => {
  const lookup = names({
    localhost: ['::1', '127.0.0.1'],
    'node.example.org': ['10.1.2.3'],
    'a.b.example.org': ['10.1.2.4'],
    'example.org': ['10.1.2.5'],
    'evil-example.org': ['10.1.2.6'],
    'bad.example.org': ['127.0.0.1'],
    'lan.example.net': ['192.168.7.7', '192.168.7.8'],
    'half.example.net': ['192.168.7.7', '192.168.9.9'],
  });
  const resolve = (allowed: string[], host: string) =>
    createTargetPolicy({ allowed, lookup }).resolve(host, 22);

  it('[SES-4] allows what is listed and nothing else', async () => {
    assert.equal((await resolve(['node.example.org'], 'NODE.example.org.')).address, '10.1.2.3');
    assert.equal((await resolve(['10.0.0.0/8'], '10.9.8.7')).address, '10.9.8.7');
    assert.equal((await resolve(['2001:db8::/32'], '2001:db8::5')).family, 6);
    assert.equal((await resolve([' 10.9.8.7 '], '168364039')).address, '10.9.8.7');
    for (const host of ['10.9.8.8', 'example.org', '8.8.8.8', 'no.such.example', '::1', 'node.example.org']) {
      assert.equal(await codeOf(resolve(['10.9.8.7'], host)), 'host_not_allowed', host);
    }
  });

  it('takes *.domain for its subdomains at any depth, not for itself or a look-alike', async () => {
    const allowed = ['*.example.org'];
    assert.equal((await resolve(allowed, 'node.example.org')).address, '10.1.2.3');
    assert.equal((await resolve(allowed, 'a.b.example.org')).address, '10.1.2.4');
    for (const host of ['example.org', 'evil-example.org', '10.1.2.3']) {
      assert.equal(await codeOf(resolve(allowed, host)), 'host_not_allowed', host);
    }
  });

  it('[SES-4] keeps a listed name from pointing inside, unless the address is listed too', async () => {
    assert.equal(await codeOf(resolve(['*.example.org'], 'bad.example.org')), 'host_not_allowed');
    assert.equal((await resolve(['*.example.org', '127.0.0.1'], 'bad.example.org')).address, '127.0.0.1');
  });

  it('allows a name of which every address is listed', async () => {
    assert.equal((await resolve(['192.168.7.0/24'], 'lan.example.net')).address, '192.168.7.7');
    assert.equal(await codeOf(resolve(['192.168.7.0/24'], 'half.example.net')), 'host_not_allowed');
  });

  it('allows loopback where the operator says so, by number or by name', async () => {
    assert.equal((await resolve(['127.0.0.1'], '127.0.0.1')).address, '127.0.0.1');
    assert.equal((await resolve(['127.0.0.0/8'], '127.1')).address, '127.0.0.1');
    assert.equal((await resolve(['localhost'], 'localhost')).address, '::1');
    assert.equal((await resolve(['localhost'], '127.0.0.1')).address, '127.0.0.1');
    assert.equal(await codeOf(resolve(['127.0.0.1'], '127.0.0.2')), 'host_not_allowed');
  });

  it('asks no resolver about a name that cannot be allowed', async () => {
    const asked = names({});
    const policy = createTargetPolicy({ allowed: ['node.example.org'], lookup: asked });
    assert.equal(await codeOf(policy.resolve('other.example.org', 22)), 'host_not_allowed');
    assert.deepEqual(asked.asked, []);
  });

  it('allows nothing with an empty list, and the demo node always, at its port only', async () => {
    const policy = createTargetPolicy({
      allowed: [],
      alwaysAllow: [{ host: '127.0.0.1', port: 4022 }],
      lookup,
    });
    assert.equal((await policy.resolve('127.0.0.1', 4022)).address, '127.0.0.1');
    assert.equal(await codeOf(policy.resolve('127.0.0.1', 22)), 'host_not_allowed');
    assert.equal(await codeOf(policy.resolve('node.example.org', 4022)), 'host_not_allowed');
  });

  it('names the entry that is no rule', () => {
    for (const entry of ['', '*', '*.', '10.0.0.0/99', 'a b', '*.10.0.0.1', 'http://x']) {
      assert.throws(() => createTargetPolicy({ allowed: [entry] }), TypeError, entry);
    }
  });
});
