/** Maximum rooms in a mail. Further rooms are only counted. */
export const roomsOfMail = 3;
/** Maximum messages of a room in a mail. Further messages are only counted. */
export const messagesOfMail = 5;
/** Maximum mails that are sent concurrently. */
export const mailsAtOnce = 3;
