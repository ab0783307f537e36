package mail

// Problems that Parse names in Message.Problems: slugs that are never renamed.
// None of them keeps a mail from becoming a request.
const (
	ProblemNoHeader         = "no-header" // the mail or a part begins with its text
	ProblemNoEmptyLine      = "no-empty-line-after-header"
	ProblemNoColon          = "header-line-without-colon"
	ProblemHeaderTooLong    = "header-too-long" // beyond maxHeader
	ProblemBareCR           = "bare-carriage-return"
	ProblemNoFrom           = "from-missing"
	ProblemManyFrom         = "several-from"
	ProblemNoDate           = "date-missing"
	ProblemBadDate          = "date-unreadable"
	ProblemNoMessageID      = "message-id-missing"
	ProblemTooManyAddresses = "too-many-addresses"  // beyond maxAddresses
	ProblemTooManyParts     = "too-many-parts"      // beyond maxParts
	ProblemTooDeep          = "nested-too-deep"     // beyond maxDepth
	ProblemTextTooLong      = "text-too-long"       // beyond maxText
	ProblemNoBoundary       = "boundary-missing"    // none declared, or the declared one does not occur
	ProblemOpenBoundary     = "boundary-unfinished" // the end of a multipart is missing
	ProblemUnknownEncoding  = "transfer-encoding-unknown"
	ProblemBadBase64        = "base64-damaged"
	ProblemBadQuoted        = "quoted-printable-damaged"
	ProblemUnknownCharset   = "charset-unknown"
	ProblemCharsetGuessed   = "charset-guessed"       // none declared, or the declared one does not fit
	ProblemBadCharacters    = "characters-unreadable" // replaced by U+FFFD
	ProblemBadType          = "content-type-unreadable"
	ProblemEncrypted        = "encrypted" // S/MIME or PGP; kept as attachment
	ProblemUnreadableTNEF   = "winmail-unreadable"
	ProblemBadUuencode      = "uuencode-damaged"
)
