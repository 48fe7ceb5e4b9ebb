export { awsGuestNeeds } from './guestNeeds.ts';
