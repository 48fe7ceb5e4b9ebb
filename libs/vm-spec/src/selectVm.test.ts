import { expect, test } from 'vitest';
import { selectVm } from './selectVm.ts';
import { SpecNode } from './specNode.ts';

function twoVms() {
  const root = new SpecNode([
    { id: '1', name: 'a' },
    { id: '2', name: 'b' },
  ]);
  const vms = root
    .items()
    .map((node) => ({ node, names: [node.child('name').text(), node.child('id').text()] }));
  return { root, vms };
}

test.each(['b', '2'])(
  'the selector %s finds the VM by name or id, and says nothing of the others',
  (selector) => {
    const { root, vms } = twoVms();
    const { vm, findings } = selectVm('x', selector, vms);
    expect([vm.path, findings, root.unread()]).toEqual(['[1]', [], []]);
  },
);

test('without a selector the first of several is read, with a warning that names all', () => {
  const { vm, findings } = selectVm('x', null, twoVms().vms);
  expect(vm.path).toBe('[0]');
  expect(findings).toMatchObject([{ code: 'SPEC_VM_AMBIGUOUS', severity: 'warning', evidence: 'a, b' }]);
});

test('the only VM is read without a word', () => {
  expect(selectVm('x', null, twoVms().vms.slice(1)).findings).toEqual([]);
});

test.each([
  ['c', 2],
  [null, 0],
] as const)('asked for %s among %i VMs it refuses', (selector, count) => {
  const vms = twoVms().vms.slice(0, count);
  expect(() => selectVm('x', selector, vms)).toThrow(
    expect.objectContaining({ code: 'SPEC_DOCUMENT_INVALID' }),
  );
});
