/** Maximum count of users, and of the messages, reports, files and reactions of a user. */
export const mostCounted = 10_000;

/** Maximum rooms of a user, and reports about a user, in the details of a user. */
export const mostRooms = 200;
export const mostReports = 50;
