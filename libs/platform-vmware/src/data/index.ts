export { vmwareGuestNeeds } from './guestNeeds.ts';
