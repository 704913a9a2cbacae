import cards from '../styles/cards.css?inline';
import { sheetOf } from '../styles/styles.ts';

export { SiteCard } from '../views/cards/site-card.tsx';

export const sheet = sheetOf(cards);
