import { describe } from 'vitest';
import { otherFormatCases } from './corpus/otherFormats.ts';
import { makeTemplates } from './corpus/templates.ts';
import { declareCases } from './declareCases.ts';

const templates = await makeTemplates();

describe('broken images', () => {
  declareCases(otherFormatCases(templates));
});
