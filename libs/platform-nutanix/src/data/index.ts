export { nutanixGuestNeeds } from './guestNeeds.ts';
