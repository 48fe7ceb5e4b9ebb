export { hypervGuestNeeds } from './guestNeeds.ts';
