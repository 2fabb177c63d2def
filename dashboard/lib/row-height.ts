/** Height of a line that is not wrapped, in px: the class `leading-[22px]` of the rows. */
export const ROW_HEIGHT = 22;
