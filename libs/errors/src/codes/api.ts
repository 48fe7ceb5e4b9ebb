import type { CodeTable } from '../category.ts';

/** Codes of the area `api` (control plane). */
export const apiCodes = {
  API_ROUTE_UNKNOWN: {
    category: 'missing',
    meaning: 'The API has no resource at this path.',
    hint: 'Look the path up in /api/v1/openapi.json.',
  },
  API_METHOD_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The resource exists but does not know this HTTP method.',
    hint: 'Use one of the methods in the Allow header.',
  },
  API_BODY_MALFORMED: {
    category: 'invalid',
    meaning: 'The request body is not JSON.',
    hint: 'Send one JSON object with content-type application/json.',
  },
  API_BODY_TOO_LARGE: {
    category: 'invalid',
    meaning: 'The request body is larger than the API accepts.',
    hint: 'Send less than 4 MiB; refer to a stored plan by plan_id instead of sending it whole.',
  },
  API_MEDIA_TYPE_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The request body has a media type the API does not read.',
    hint: 'Send content-type application/json.',
  },
  API_INPUT_INVALID: {
    category: 'invalid',
    meaning: 'A field of the request has the wrong form.',
    hint: 'Correct the fields listed under errors.',
  },
  API_TOKEN_INVALID: {
    category: 'denied',
    meaning: 'No bearer token was given, or it is unknown, expired or revoked.',
    hint: 'Send "Authorization: Bearer <token>"; an administrator makes one with "token create".',
  },
  API_ROLE_INSUFFICIENT: {
    category: 'denied',
    meaning: "The token's role does not allow this call.",
    hint: 'Use a token with the role the message names.',
  },
  API_SECRET_UNREADABLE: {
    category: 'corrupt',
    meaning: 'A stored secret cannot be opened with the key file in use.',
    hint: 'Restore the key file that was in use when the target was saved, or enter the secrets again.',
  },
  API_SPEC_MISSING: {
    category: 'missing',
    meaning: 'No VM specification is known for this backup.',
    hint: 'Give one with PUT backups/{id}/spec, or restore without: the plan says what is assumed.',
  },
  API_ID_TAKEN: {
    category: 'conflict',
    meaning: 'Something of this kind with this id exists already.',
    hint: 'Choose another id, or change what exists with PUT.',
  },
  API_PLATFORM_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'This version cannot restore to the platform.',
    hint: 'Choose one of the platforms that the message lists.',
  },
  API_RESTORE_NAME_BUSY: {
    category: 'conflict',
    meaning: 'Another restore that has not ended makes a VM of this name on this target.',
    hint: 'Wait for the other restore, cancel it, or give another name.',
  },
  API_AGENT_REVOKED: {
    category: 'denied',
    meaning: 'The agent was revoked.',
    hint: 'Enrol it again with a new token if it shall come back.',
  },
  API_SECRET_REFUSED: {
    category: 'denied',
    meaning: 'An agent asked for a secret it has no business with.',
    hint: 'Allow the target to this agent, or give the target the secret that its connection names.',
  },
  API_AGENT_EXISTS: {
    category: 'conflict',
    meaning: 'An agent of this id is enrolled at another site.',
    hint: 'Choose another agent id, or revoke the other agent first.',
  },
  PLAN_STALE: {
    category: 'conflict',
    meaning: 'What the plan was made from has changed since.',
    hint: 'Look at the changes, plan again and start the new plan.',
  },
} as const satisfies CodeTable;
