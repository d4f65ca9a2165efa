<%-- Who works here: name and room of everybody, or of ?name=NAME, separated by a tab. --%>
<%@ page contentType="text/plain; charset=UTF-8" trimDirectiveWhitespaces="true"
         import="java.sql.*, javax.naming.InitialContext, javax.sql.DataSource" %>
<%
  DataSource source = (DataSource) new InitialContext().lookup("java:comp/env/jdbc/staff");
  String name = request.getParameter("name");
  try (Connection connection = source.getConnection();
       PreparedStatement statement = connection.prepareStatement(
         "SELECT name, room FROM staff WHERE ? IS NULL OR name = ? ORDER BY name")) {
    statement.setString(1, name);
    statement.setString(2, name);
    try (ResultSet rows = statement.executeQuery()) {
      while (rows.next()) out.println(rows.getString(1) + "\t" + rows.getString(2));
    }
  }
%>
