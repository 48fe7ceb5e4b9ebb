export { azureGuestNeeds } from './guestNeeds.ts';
