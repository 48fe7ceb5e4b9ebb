import { fromSnake, snakeSchema, vmSpecSchema } from '@ascend/protocol';
import { isAppError } from '@ascend/errors';
import { parseJson, specFinding, type SpecReader, type SpecReading } from '@ascend/vm-spec';
import type { VmSpec } from '@ascend/domain';

const format = 'vm-spec';
const maxIssuesTold = 5;

function refused(message: string): SpecReading {
  const finding = specFinding('SPEC_DOCUMENT_INVALID', 'blocked', { subject: 'backup', message });
  return { spec: null, findings: [finding], unknownFields: [] };
}

function parseSpec(text: string): SpecReading {
  const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
  const isSnake = snakeSchema(vmSpecSchema).safeParse(value).success;
  const parsed = vmSpecSchema.safeParse(isSnake ? fromSnake<VmSpec>(vmSpecSchema, value) : value);
  if (parsed.success) return { spec: parsed.data, findings: [], unknownFields: [] };
  const schema = text.includes('"cpu_count"') ? snakeSchema(vmSpecSchema) : vmSpecSchema;
  const issues = schema.safeParse(value).error?.issues ?? parsed.error.issues;
  const told = issues.slice(0, maxIssuesTold).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return refused(`${issues.length} wrong fields: ${told.join('; ')}`);
}

/**
 * Our own JSON: the fields of `vmSpecSchema`, in camelCase as in `*.vmspec.json`, or in snake_case as the API has them. Strict, because
 * people write it by hand: a wrong or unknown field refuses the whole. Holds one VM, whatever its name.
 */
export const ownReader: SpecReader = {
  format,
  platform: null,
  recognise: ({ text }) => {
    const isOwn = ['cpuCount', 'memoryBytes', 'firmware'].every(
      (name) =>
        text.includes(`"${name}"`) ||
        text.includes(`"${name.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)}"`),
    );
    return isOwn && /^\uFEFF?\s*\{/.test(text) ? 'the fields of a VM specification' : null;
  },
  read: (document) => {
    try {
      // Bounds of size and depth.
      parseJson(document);
      return parseSpec(document.text);
    } catch (cause) {
      return refused(isAppError(cause) ? cause.message : `${document.name}: it cannot be read`);
    }
  },
};
