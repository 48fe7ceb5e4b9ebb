export { cloudstackGuestNeeds } from './guestNeeds.ts';
