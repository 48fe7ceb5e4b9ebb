import type { DraftNic, SpecNode } from '@ascend/vm-spec';
import { lastPart, member, type ArmDocument } from './armDocument.ts';

/** Lists that the command line adds with `--show-details`: `a,b`. */
function listed(node: SpecNode): readonly string[] {
  return (node.text() ?? '').split(',').filter((part) => part.trim() !== '');
}

function isPrimary(reference: SpecNode): boolean {
  return member(reference, 'primary').boolean() === true;
}

function readNic(nic: SpecNode, text: ArmDocument['text']): Required<DraftNic> {
  const configurations = member(nic, 'ipConfigurations').items();
  const [first] = configurations;
  return {
    mac: member(nic, 'macAddress').text(),
    network: first === undefined ? null : lastPart(text(member(first, 'subnet', 'id'))),
    // What the guest sees; accelerated networking adds a second card to it that comes and goes.
    model: 'netvsc',
    addresses: configurations.flatMap(
      (configuration) =>
        text(member(configuration, 'privateIPAddress')) ??
        text(member(configuration, 'privateIpAddress')) ??
        [],
    ),
  };
}

/**
 * The primary interface first, the others as listed. A VM names its interfaces by id alone: addresses come from interfaces that stand in
 * the document or in the list itself, else from `--show-details`.
 */
export function readNics(vm: SpecNode, document: ArmDocument): readonly DraftNic[] {
  const profile = member(vm, 'networkProfile');
  profile.ignoring('networkApiVersion');
  const [macs, addresses] = [listed(vm.child('macAddresses')), listed(vm.child('privateIps'))];
  const references = [
    ...profile.child('networkInterfaces').items(),
    ...profile.child('networkInterfaceConfigurations').items(),
  ];
  const isTold = macs.length === references.length;
  return references
    .map((reference, index) => ({ reference, index }))
    .sort((a, b) => Number(isPrimary(b.reference)) - Number(isPrimary(a.reference)) || a.index - b.index)
    .map(({ reference, index }) => {
      const id = lastPart(document.text(reference.child('id')));
      const beside = document.nics.get(id ?? '');
      const { mac, network, model, addresses: own } = readNic(beside ?? reference, document.text);
      reference.ignore();
      const isListed = isTold && addresses.length === macs.length;
      return {
        mac: mac ?? (isTold ? (macs[index] ?? null) : null),
        network,
        model,
        addresses: own.length === 0 && isListed ? addresses.slice(index, index + 1) : own,
      };
    });
}
