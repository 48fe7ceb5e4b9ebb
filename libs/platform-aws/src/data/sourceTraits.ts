import type { SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. Addresses are of the range that is free to everybody, so that they are weak. Names of identifiers: EC2 API; services: EC2 notes of
 * 2026-11-20.
 */
export const awsSourceTraits: SourceTraits = {
  platform: 'aws',
  traits: [
    { kind: 'mac', pattern: /^0[26ae]:|^1[26]:/, strength: 'weak' },
    { kind: 'nic-model', pattern: /^(?:ena|efa|efa-only)$/, strength: 'strong' },
    { kind: 'service', pattern: /^(?:AWSLiteAgent|Ec2Config|Amazon EC2Launch)$/i, strength: 'strong' },
    { kind: 'service', pattern: /^AmazonSSMAgent$/i, strength: 'weak' },
    { kind: 'data-source', pattern: /^Ec2$/, strength: 'weak' },
    { kind: 'disk-format', pattern: /^ebs-snapshot$/, strength: 'strong' },
    { kind: 'file-name', pattern: /(?:^|[^a-z])(?:vol|snap)-[0-9a-f]{8,17}(?![0-9a-f])/, strength: 'strong' },
    { kind: 'dmi', pattern: /Amazon EC2/i, strength: 'strong' },
  ],
};
