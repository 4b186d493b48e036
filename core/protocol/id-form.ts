/**
 * The form of ids that others choose: well-formed text without control characters. An id of any other form could not be asked for in
 * a URL, and a store that keeps UTF-8 would take two of them for one.
 */
export const ID_FORM = /^(?:[^\u0000-\u001f\u007f-\u009f\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])+$/;
