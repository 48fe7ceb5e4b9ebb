import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAddressLearner } from './capture.ts';

const mac = '00:50:56:aa:bb:01';
const other = '52:55:0a:00:02:02';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[:\s]/g, ''), 'hex');
}

function ip(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

function arp(sender: string, address: string): Buffer {
  const body = hex('0001 0800 06 04 0002');
  return Buffer.concat([
    hex(other),
    hex(sender),
    hex('0806'),
    body,
    hex(sender),
    ip(address),
    hex(other),
    ip('10.0.2.2'),
  ]);
}

function ipv4(sender: string, address: string, payload = Buffer.alloc(20)): Buffer {
  const header = Buffer.concat([hex('4500 0054 0000 4000 40 11 0000'), ip(address), ip('10.0.2.2')]);
  return Buffer.concat([hex(other), hex(sender), hex('0800'), header, payload]);
}

function dhcpAnswer(type: number, address: string): Buffer {
  const bootp = Buffer.alloc(240);
  ip(address).copy(bootp, 16);
  hex(mac).copy(bootp, 28);
  const options = hex(`0c0131 35 01 0${type} ff 00`);
  return ipv4(other, '10.0.2.2', Buffer.concat([hex('0043 0044 0100 0000'), bootp, options]));
}

function captureOf(...frames: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  const records = frames.flatMap((frame) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(frame.length, 8);
    head.writeUInt32LE(frame.length, 12);
    return [head, frame];
  });
  return Buffer.concat([header, ...records]);
}

function learn(data: Buffer): readonly string[] {
  const learner = createAddressLearner(mac);
  learner.accept(data);
  return learner.addresses();
}

test.each([
  ['an ARP answer of the guest', arp(mac, '10.0.2.77'), ['10.0.2.77']],
  ['a packet the guest sent', ipv4(mac, '10.0.2.78'), ['10.0.2.78']],
  ['a DHCP confirmation for the guest', dhcpAnswer(5, '10.0.2.15'), ['10.0.2.15']],
  ['a DHCP offer that is not confirmed', dhcpAnswer(2, '10.0.2.15'), []],
  ['an ARP probe for an address not yet taken', arp(mac, '0.0.0.0'), []],
  ["somebody else's packet", ipv4(other, '10.0.2.2'), []],
  ["somebody else's ARP answer", arp(other, '10.0.2.77'), []],
  ['a cut frame', arp(mac, '10.0.2.77').subarray(0, 30), []],
  ['an empty frame', Buffer.alloc(0), []],
])('%s teaches what it proves', (_, frame, expected) => {
  expect(learn(captureOf(frame))).toEqual(expected);
});

test('addresses are learned whatever the pieces in which a capture arrives', () => {
  const data = captureOf(ipv4(other, '10.0.2.2'), arp(mac, '10.0.2.77'), ipv4(mac, '10.0.2.78'));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 30 }), (sizes) => {
      const learner = createAddressLearner(mac);
      let at = 0;
      for (const size of [...sizes, data.length]) {
        learner.accept(data.subarray(at, at + size));
        at = Math.min(at + size, data.length);
      }
      expect(learner.addresses()).toEqual(['10.0.2.77', '10.0.2.78']);
    }),
  );
});

test('noise is read to its end without an exception and teaches nothing but valid text', () => {
  const noise = fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 2000 }));
  fc.assert(
    fc.property(noise, ([withHeader, bytes]) => {
      const found = learn(Buffer.concat([withHeader ? captureOf() : Buffer.alloc(0), bytes]));
      expect(found.every((text) => /^\d{1,3}(\.\d{1,3}){3}$/.test(text))).toBe(true);
    }),
  );
});

test('a guest that uses hundreds of addresses is remembered by sixteen', () => {
  const frames = Array.from({ length: 300 }, (_, index) =>
    arp(mac, `10.1.${Math.floor(index / 250)}.${(index % 250) + 1}`),
  );
  expect(learn(captureOf(...frames))).toHaveLength(16);
});
