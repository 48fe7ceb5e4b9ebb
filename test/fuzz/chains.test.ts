import { describe } from 'vitest';
import { chainCases } from './corpus/chainCases.ts';
import { makeTemplates } from './corpus/templates.ts';
import { declareCases, whole } from './declareCases.ts';

const templates = await makeTemplates();

describe('broken images', () => {
  declareCases(chainCases(templates), whole);
});
