package mysqldatabase

import "regexp"

// What the statements of dumps look like that matter for the rows of a table,
// and for the mode in which they are understood.
var (
	insertInto = regexp.MustCompile("^INSERT INTO (`(?:[^`]|``)+`) ")
	ofTable    = regexp.MustCompile("^(?:LOCK TABLES (`.+`) WRITE|/\\*!40000 ALTER TABLE (`.+`) (?:DISABLE|ENABLE) KEYS \\*/);$")
	between    = regexp.MustCompile(`^(?:/\*!40101 SET character_set_client = @saved_cs_client \*/|UNLOCK TABLES|` +
		`set autocommit=0|commit|SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0|COMMIT|SET AUTOCOMMIT=@OLD_AUTOCOMMIT);$`)
	createsTable = regexp.MustCompile("(?s)^CREATE TABLE (`(?:[^`]|``)+`) \\(\n.*\n\\) ENGINE=InnoDB\\b[^\n]*(?:\n.*)?;$")
	autocommit   = regexp.MustCompile(`(?i)\bautocommit\b`)

	modeOfDumps = regexp.MustCompile(`^/\*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' \*/;$`)
	modeIsBack  = regexp.MustCompile(`(?i)[^@\w]sql_mode\s*=\s*@saved_sql_mode\b`)
	modeChanges = regexp.MustCompile(`(?i)[^@\w]sql_mode\s*=`)
	noEscapes   = regexp.MustCompile(`(?i)no_backslash_escapes`)
)

// insertion returns the table that a statement inserts rows into, or nothing.
func insertion(text []byte) string {
	if found := insertInto.FindSubmatch(text[:min(len(text), recognisable)]); found != nil {
		return string(found[1])
	}
	return ""
}
