// Package plugins names the plugins that are built in.
package plugins

import (
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/axis2"
	"github.com/disnix-go/disnix/dysnomia/plugins/bsdrcscript"
	"github.com/disnix-go/disnix/dysnomia/plugins/cygrunsrvservice"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer"
	"github.com/disnix-go/disnix/dysnomia/plugins/echo"
	"github.com/disnix-go/disnix/dysnomia/plugins/ejabberddump"
	"github.com/disnix-go/disnix/dysnomia/plugins/fileset"
	"github.com/disnix-go/disnix/dysnomia/plugins/iis"
	"github.com/disnix-go/disnix/dysnomia/plugins/influxdatabase"
	"github.com/disnix-go/disnix/dysnomia/plugins/launchddaemon"
	"github.com/disnix-go/disnix/dysnomia/plugins/managedprocess"
	"github.com/disnix-go/disnix/dysnomia/plugins/mongodatabase"
	"github.com/disnix-go/disnix/dysnomia/plugins/mssqldatabase"
	"github.com/disnix-go/disnix/dysnomia/plugins/mysqldatabase"
	"github.com/disnix-go/disnix/dysnomia/plugins/nixosconfiguration"
	"github.com/disnix-go/disnix/dysnomia/plugins/postgresqldatabase"
	"github.com/disnix-go/disnix/dysnomia/plugins/process"
	"github.com/disnix-go/disnix/dysnomia/plugins/s6rcservice"
	"github.com/disnix-go/disnix/dysnomia/plugins/subversionrepository"
	"github.com/disnix-go/disnix/dysnomia/plugins/supervisordprogram"
	"github.com/disnix-go/disnix/dysnomia/plugins/systemdunit"
	"github.com/disnix-go/disnix/dysnomia/plugins/sysvinitscript"
	"github.com/disnix-go/disnix/dysnomia/plugins/tomcat"
	"github.com/disnix-go/disnix/dysnomia/plugins/webapplication"
	"github.com/disnix-go/disnix/dysnomia/plugins/wrapper"
	"github.com/disnix-go/disnix/dysnomia/plugins/xinetdservice"
)

// Builtin returns the built-in plugins by type. The map belongs to the caller.
func Builtin() map[string]dysnomia.Plugin {
	builtin := map[string]dysnomia.Plugin{
		"apache-webapplication":  webapplication.Plugin{Module: "apache-webapplication"},
		"axis2-webservice":       axis2.Plugin{},
		"bsdrc-script":           bsdrcscript.Plugin{},
		"cygrunsrv-service":      cygrunsrvservice.Plugin{},
		"docker-container":       dockercontainer.Plugin{},
		"echo":                   echo.Plugin{},
		"ejabberd-dump":          ejabberddump.Plugin{},
		"fileset":                fileset.Plugin{},
		"generic-webapplication": webapplication.Plugin{Module: "generic-webapplication"},
		"iis-webapplication":     iis.Plugin{},
		"influx-database":        influxdatabase.Plugin{},
		"launchd-daemon":         launchddaemon.Plugin{},
		"mongo-database":         mongodatabase.Plugin{},
		"mssql-database":         mssqldatabase.Plugin{},
		"mysql-database":         mysqldatabase.Plugin{},
		"nginx-webapplication":   webapplication.Plugin{Module: "nginx-webapplication"},
		"postgresql-database":    postgresqldatabase.Plugin{},
		"process":                process.Plugin{},
		"s6-rc-service":          s6rcservice.Plugin{},
		"subversion-repository":  subversionrepository.Plugin{},
		"supervisord-program":    supervisordprogram.Plugin{},
		"systemd-unit":           systemdunit.Plugin{},
		"sysvinit-script":        sysvinitscript.Plugin{},
		"tomcat-webapplication":  tomcat.Plugin{},
		"wrapper":                wrapper.Plugin{},
		"xinetd-service":         xinetdservice.Plugin{},
	}
	builtin["nixos-configuration"] = nixosconfiguration.Plugin{Plugins: builtin}
	builtin["managed-process"] = managedprocess.Plugin{Plugins: builtin}
	return builtin
}
