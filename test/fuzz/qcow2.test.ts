import { describe } from 'vitest';
import { qcow2Cases } from './corpus/qcow2Cases.ts';
import { makeTemplates } from './corpus/templates.ts';
import { declareCases } from './declareCases.ts';

const templates = await makeTemplates();

describe('broken images', () => {
  declareCases(qcow2Cases(templates));
});
